"""SQL that finds the usual values, so that Python looks at the others only."""

from migrator.dialects.sqlite.rebuild.values import DOUBLE, Kind

# SQL that is true for an existing date or moment, and what may follow its seconds, with a sample: a type writes some, and reads all.
_USUAL = {
    "date": (
        "typeof({x}) = 'text' AND date({x}) = {x} AND substr({x}, 1, 4) > '0000'",
        (("1", "2024-05-06"),),
    ),
    "datetime": (
        "typeof({x}) = 'text' AND datetime({x}) = substr({x}, 1, 19) AND substr({x}, 1, 4) > '0000' AND {x} NOT GLOB '*[^-0-9 :.]*'",
        (
            ("length({x}) = 19", "2024-05-06 07:08:09"),
            ("substr({x}, 20) = '.000000'", "2024-05-06 07:08:09.000000"),
            ("(length({x}) = 26 AND {x} LIKE '%.______' AND {x} NOT LIKE '%.000000')", "2024-05-06 07:08:09.123456"),
        ),
    ),
}
# SQL that is true for a number that 32 bits give back as it was.
_SIX_DIGITS = "(CAST(printf('%.6g', {x}) AS REAL) = {x} AND (abs({x}) BETWEEN 1e-37 AND 1e38 OR {x} = 0))"


def quickly(new: Kind, value: str, old: Kind) -> str:
    """Return SQL that is true only for values that fit and stay as they are: the usual ones, so that Python sees only the others."""
    whole = f"typeof({value}) = 'integer' AND {value} BETWEEN"
    match new.family if new.family in _USUAL or not new.decorated else "":
        case "integer":
            number, ends = f"CAST({value} AS INTEGER)", f"{-(2 ** (new.bits - 1))} AND {2 ** (new.bits - 1) - 1}"
            digits = f"typeof({value}) = 'text' AND CAST({number} AS TEXT) = {value} AND {number} BETWEEN {ends}"
            return f"{whole} {ends} OR {digits}"
        case "boolean":
            return f"{whole} 0 AND 1"
        case "numeric" if new.digits[1] >= 0:
            most = int(min(2**DOUBLE, 10 ** min(new.digits[0], 18) - 1))
            return f"{whole} {-most} AND {most}"
        case "float":
            real = "1" if new.mantissa == DOUBLE else _SIX_DIGITS.format(x=value)
            return f"{whole} {-(2**new.mantissa)} AND {2**new.mantissa} OR typeof({value}) = 'real' AND {real}"
        case "text" if new.members is not None:
            members = ", ".join("'" + member.replace("'", "''") + "'" for member in sorted(new.members))
            return f"typeof({value}) = 'text' AND {value} COLLATE BINARY IN ({members}){_lengths(new, value, old)}"
        case "text" if new.affinity == "TEXT":
            kinds = "'text'" if old.family == "boolean" else "'text', 'integer'"
            return f"typeof({value}) IN ({kinds}){_lengths(new, value, old)}"
        case "blob" if new.affinity == "BLOB":
            return f"typeof({value}) = 'blob'"
        case "date" | "datetime" as family:
            exists, spellings = _USUAL[family]
            own = [sql for sql, sample in spellings if _is_own(new, sample)]
            return f"{exists} AND ({' OR '.join(own)})".format(x=value) if own else "0"
    return "0"


def _lengths(new: Kind, value: str, old: Kind) -> str:
    most = f" AND length({value}) <= {new.length}" if new.length is not None else ""
    exact = f" AND length({value}) = {new.padded}" if new.padded is not None else ""
    return most + exact + (f" AND substr({value}, -1) <> ' '" if old.is_cut_for(new) else "")


def _is_own(new: Kind, sample: str) -> bool:
    """Return whether the type takes and keeps this spelling; it may have one of its own."""
    try:
        return new.fit(sample, sample, new) is sample
    except Exception:
        return False
