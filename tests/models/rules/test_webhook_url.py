"""Hostile URLs are refused under the strict policy; others pass, and more with a setting for development."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.webhook_url import Target, TargetRefused, UrlPolicy, networks_of, target_of, vetted
from tests.ssrf_cases import ADDRESSES, URLS

LOOPBACK = UrlPolicy(http=True, networks=networks_of(["127.0.0.0/8"]))


@pytest.mark.parametrize("url", URLS)
def test_hostile_url_is_refused(url: str):
    with pytest.raises(TargetRefused):
        target_of(url)


@pytest.mark.parametrize("url", URLS)
def test_hostile_url_is_refused_over_http_too(url: str):
    with pytest.raises(TargetRefused):
        target_of(url, UrlPolicy(http=True))


@pytest.mark.parametrize("address", ADDRESSES)
def test_internal_address_among_public_ones_is_refused(address: str):
    for addresses in ([address], [address, "93.184.216.34"], ["93.184.216.34", "2606:4700::1111", address]):
        with pytest.raises(TargetRefused) as refused:
            vetted(addresses)
        assert refused.value.code == "address_refused"


@pytest.mark.parametrize("port", ["65536", "70000", "99999"])
def test_invalid_port_is_refused_where_any_port_is_allowed(port: str):
    assert target_of("http://127.0.0.1:65535/", LOOPBACK).port == 65_535
    with pytest.raises(TargetRefused) as refused:
        target_of(f"http://127.0.0.1:{port}/", LOOPBACK)
    assert refused.value.code == "port_refused"


@pytest.mark.parametrize("prefix", ["::ffff:0:0", "64:ff9b::"])
@given(inner=st.ip_addresses(v=4))
def test_wrapped_address_is_public_if_the_inner_is(prefix: str, inner: IPv4Address):
    wrapping = IPv6Address(int(IPv6Address(prefix)) | int(inner))
    assert is_public(str(wrapping)) == is_public(str(inner))


@given(inner=st.ip_addresses(v=4), rest=st.integers(0, 2**80 - 1))
def test_6to4_address_is_public_if_the_inner_is(inner: IPv4Address, rest: int):
    assert is_public(str(IPv6Address(0x2002 << 112 | int(inner) << 80 | rest))) == is_public(str(inner))


def is_public(address: str) -> bool:
    try:
        return vetted([address]) == [address]
    except TargetRefused:
        return False


def test_public_addresses_pass_once_in_their_order():
    found = ["2606:4700::1111", "93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"]
    assert vetted(found) == ["2606:4700::1111", "93.184.216.34", "64:ff9b::5db8:d822"]


def test_empty_answer_of_a_name_server_is_refused():
    with pytest.raises(TargetRefused) as refused:
        vetted([])
    assert refused.value.code == "host_unknown"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example/hook", Target("https", "shop.example", 443, "/hook", None)),
        ("https://Shop.Example", Target("https", "shop.example", 443, "/", None)),
        ("https://shop.example?a=b@c", Target("https", "shop.example", 443, "/?a=b@c", None)),
        ("https://xn--rve-xla.example:8443/a%20b?c", Target("https", "xn--rve-xla.example", 8443, "/a%20b?c", None)),
        ("https://93.184.216.34/x", Target("https", "93.184.216.34", 443, "/x", "93.184.216.34")),
        ("https://[2606:4700::1111]/x", Target("https", "2606:4700::1111", 443, "/x", "2606:4700::1111")),
    ],
)  # fmt: skip
def test_ordinary_url_passes(url: str, target: Target):
    assert target_of(url) == target


def test_http_passes_only_if_the_policy_allows_it():
    with pytest.raises(TargetRefused) as refused:
        target_of("http://shop.example/")
    assert refused.value.code == "scheme_refused"
    assert target_of("http://shop.example:8080/", UrlPolicy(http=True)).port == 8080


def test_allowed_network_permits_literals_with_any_port_only():
    assert target_of("http://127.0.0.1:9000/hook", LOOPBACK) == Target("http", "127.0.0.1", 9000, "/hook", "127.0.0.1")
    assert vetted(["127.0.0.1", "93.184.216.34"], LOOPBACK) == ["127.0.0.1", "93.184.216.34"]
    for url in ("http://shop.example:9000/", "http://93.184.216.34:9000/", "http://10.0.0.1/", "http://[::1]:9000/"):
        with pytest.raises(TargetRefused):
            target_of(url, LOOPBACK)


def test_odd_notations_of_loopback_are_always_refused():
    for host in ("127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost", "localhost.", "[::ffff:127.0.0.1]"):
        with pytest.raises(TargetRefused):
            target_of(f"http://{host}:9000/", LOOPBACK)


def test_host_header_has_the_name_and_connection_the_address():
    target = target_of("https://shop.example:8443/hook?a=b")
    assert (target.authority, target.url_at("2606:4700::1111")) == (
        "shop.example:8443",
        "https://[2606:4700::1111]:8443/hook?a=b",
    )
    assert target_of("https://shop.example/").authority == "shop.example"
    assert target_of("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"


def test_networks_that_are_not_plain_are_refused():
    with pytest.raises(ValueError, match="host bits"):
        networks_of(["127.0.0.1/8"])
