"""SQL that finds the usual values, so that Python looks at the others only."""

from migrator.dialects.sqlite.rebuild.values import DOUBLE, Kind

# SQL that is true for an existing date or moment in one spelling, with a sample of it: a type writes some of them, and reads all.
_DATE = "typeof({x}) = 'text' AND date({x}) = {x} AND substr({x}, 1, 4) > '0000'"
_MOMENT = "typeof({x}) = 'text' AND datetime({x}) = substr({x}, 1, 19) AND substr({x}, 1, 4) > '0000' AND {x} NOT GLOB '*[^-0-9 :.]*'"
_USUAL = {
    "date": ((_DATE, "2024-05-06"),),
    "datetime": (
        (f"{_MOMENT} AND length({{x}}) = 19", "2024-05-06 07:08:09"),
        (f"{_MOMENT} AND length({{x}}) = 26 AND substr({{x}}, 20) = '.000000'", "2024-05-06 07:08:09.000000"),
        (
            f"{_MOMENT} AND length({{x}}) = 26 AND substr({{x}}, 20, 1) = '.' AND substr({{x}}, 21) <> '000000'",
            "2024-05-06 07:08:09.123456",
        ),
    ),
}


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
            real = f" OR typeof({value}) = 'real'" if new.mantissa == DOUBLE else ""
            return f"{whole} {-(2**new.mantissa)} AND {2**new.mantissa}{real}"
        case "text" if new.members is not None:
            members = ", ".join("'" + member.replace("'", "''") + "'" for member in sorted(new.members))
            return f"typeof({value}) = 'text' AND {value} COLLATE BINARY IN ({members}){_lengths(new, value, old)}"
        case "text" if new.affinity == "TEXT":
            kinds = "'text'" if old.family == "boolean" else "'text', 'integer'"
            return f"typeof({value}) IN ({kinds}){_lengths(new, value, old)}"
        case "blob" if new.affinity == "BLOB":
            return f"typeof({value}) = 'blob'"
        case "date" | "datetime" as family:
            usual = [sql.format(x=value) for sql, sample in _USUAL[family] if _is_own(new, sample)]
            return " OR ".join(usual) or "0"
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
