"""How is a key made of other keys?"""

from pyspark.sql import Column
from pyspark.sql import functions as F

_DIGITS = 32


def key_of(*parts: Column) -> Column:
    """A key of 128 bits, as 32 hexadecimal digits, made of string columns.

    Rule: SHA-256 over every part after its length, so that ("a", "b:c") and ("a:b", "c") differ.
    Edge: null where a part is null.
    """
    framed = [F.concat(F.length(part).cast("string"), F.lit(":"), part) for part in parts]
    return F.substring(F.sha2(F.concat(*framed), 256), 1, _DIGITS)
