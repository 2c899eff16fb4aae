"""Ctrl-C reaches the supervisor wherever it is, also where Python drops the exception."""

import os
import signal
import weakref

import pytest

from config.standalone.stopping import StopAsked, StopRequest, stop_signals


class Something:
    """What can be finalized."""


def test_a_signal_interrupts_and_is_remembered() -> None:
    request = StopRequest()
    with stop_signals(request), pytest.raises(StopAsked):
        os.kill(os.getpid(), signal.SIGINT)
    assert request.asked


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_comes_in_a_finalizer_is_heeded_later() -> None:
    request, something = StopRequest(), Something()
    with stop_signals(request):
        request.heed()
        weakref.finalize(something, os.kill, os.getpid(), signal.SIGTERM)
        del something  # the exception ends here, unheard
        with pytest.raises(StopAsked):
            request.heed()
