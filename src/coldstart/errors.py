"""The one exception for mistakes a user can mend: it is shown as a message, never as a stack trace."""


class UserError(Exception):
    """Bad input or configuration. The message names the file, the row or key, what is wrong and what to change."""
