"""The one hierarchy of errors that the project raises on purpose."""


class EqError(Exception):
    """Base of every error that EQ Stack raises on purpose."""


class InputError(EqError):
    """Data from outside (a message, a file, an array) cannot be used.

    Attributes:
        reason: Short stable key under which a node counts the dropped input, such as
            ``'bad_layout'``; see the fault table in ``docs/faults.md``.
    """

    def __init__(self, text: str, reason: str = 'bad_input') -> None:
        """Keeps the human text and the stable key apart."""
        super().__init__(text)
        self.reason = reason


class ConfigError(EqError):
    """A parameter or configuration value is unknown, ill-typed or out of range."""


class BundleError(EqError):
    """A model bundle is incomplete, altered, or does not fit its manifest."""


class BackendError(EqError):
    """An inference backend is not available or failed while it ran."""


class OutputError(EqError):
    """A model answered with something that must not be published (NaN, wrong shape)."""


class TransformError(EqError):
    """A coordinate transform is unknown, too old, too new, or not a rotation."""


class PlanningError(EqError):
    """No plan can be given; the text says why."""
