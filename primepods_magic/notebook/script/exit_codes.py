"""Exit codes of ``primepods``, by the kind of error."""

from __future__ import annotations

from primepods_magic.api import errors

__all__ = ["find_exit_code"]

_CODES: tuple[tuple[tuple[type[errors.PodsError], ...], int], ...] = (
    ((errors.WaitInterrupted,), 130),
    ((errors.LaunchRefused, errors.BudgetExceeded), 5),
    ((errors.InvalidRequest,), 2),
    ((errors.NotConfigured, errors.AuthenticationError, errors.PermissionDenied), 3),
    ((errors.NotFound,), 4),
    ((errors.OutOfStock, errors.WaitTimedOut), 7),
)


def find_exit_code(
    error: errors.PodsError, *, is_interrupted: bool = False, is_declined: bool = False
) -> int:
    """Return the exit code for an error, after Ctrl-C or after a question that was not answered with yes.

    >>> find_exit_code(errors.NotFound("There is no pod 'train'"))
    4
    """
    if _may_be_billed(error):
        return 6
    if is_interrupted:
        return 130
    if isinstance(error, errors.CommandFailed):
        # As for ssh: of a command on a pod, its own.
        return error.exit_code if 0 < error.exit_code <= 255 else 1
    if is_declined:
        return 5
    failures = error.failures.values() if isinstance(error, errors.LaunchIncomplete) else ()
    codes = {find_exit_code(failure) for failure in failures}
    if len(codes) == 1:
        return codes.pop()
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), 1)


def _may_be_billed(error: errors.PodsError) -> bool:
    failures = error.failures.values() if isinstance(error, errors.LaunchIncomplete) else ()
    return error.may_be_billed or any(map(_may_be_billed, failures))
