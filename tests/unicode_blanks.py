"""The characters of Unicode that are blank."""

import sys

BLANKS = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace() and not 0x1C <= code <= 0x1F]
