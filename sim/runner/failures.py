"""Why a tool failed, in one line: what a message of this program says of another one."""


def find_first_error(printed: str, status: int) -> str:
    """Find the first line with an error that a program printed, else its last line, else the status it ended with."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = lines[-1] if lines else f"it ended with {status}"
    return next((line for line in lines if "error" in line.lower()), last)
