"""Fields for durations."""

from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.fields import StrictField


class WaitSeconds(ma.fields.Field):
    """A whole number of seconds, from 0 to `seconds_max`."""

    make_error = StrictField.make_error

    def __init__(self, seconds_max: int, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "integer", "minimum": 0, "maximum": seconds_max}, **kwargs)
        self.seconds_max = seconds_max

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError([FieldError("invalid_type", "Must be a whole number.")])
        if not 0 <= value <= self.seconds_max:
            raise ma.ValidationError([FieldError("invalid_value", f"Must be 0 to {self.seconds_max}.")])
        return value
