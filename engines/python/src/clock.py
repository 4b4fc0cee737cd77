"""The time of a test: what functions see in the place of the machine's clock. It stands still while they run.

`src/interpreter.rs` imports this only where an environment belongs to a test, before any code of the function runs, and calls
`show` then and before each invocation. Whoever asks for the present through `time` or `datetime` gets the test's; the monotonic
and the processor's clocks are the machine's, and so is everything that C code asks the kernel.

The classes of `datetime` are derived ones here: the real ones cannot be changed. Their metaclass takes values of the real classes
for their own, as those come from C code and from `datetime.date()`; both kinds compare, and are copied and pickled, alike.
"""

import copyreg
import datetime
import time

_millis = 0


def show(millis):
    """Shows that moment from now on, in milliseconds since 1970."""
    global _millis
    _millis = millis


def _seconds():
    return _millis / 1000


# ---- time

_clock_gettime, _clock_gettime_ns = time.clock_gettime, time.clock_gettime_ns
_gmtime, _localtime = time.gmtime, time.localtime
_asctime, _strftime = time.asctime, time.strftime


def _now():
    return _seconds()


def _now_ns():
    return _millis * 1_000_000


def _of_clock(clock, /):
    return _seconds() if clock == time.CLOCK_REALTIME else _clock_gettime(clock)


def _of_clock_ns(clock, /):
    return _now_ns() if clock == time.CLOCK_REALTIME else _clock_gettime_ns(clock)


def _to_utc(seconds=None, /):
    return _gmtime(_seconds() if seconds is None else seconds)


def _to_local(seconds=None, /):
    return _localtime(_seconds() if seconds is None else seconds)


def _as_text(parts=None, /):
    return _asctime(_to_local() if parts is None else parts)


def _as_text_of(seconds=None, /):
    return _asctime(_to_local(seconds))


def _formatted(form, parts=None, /):
    return _strftime(form, _to_local() if parts is None else parts)


# ---- datetime

_date, _datetime = datetime.date, datetime.datetime


class _Kind(type):
    """Takes what is of the real class for its own. Classes that a function derives are classes as ever."""

    def __instancecheck__(cls, value):
        real = _STANDS_FOR.get(cls)
        return isinstance(value, real) if real else super().__instancecheck__(value)

    def __subclasscheck__(cls, kind):
        real = _STANDS_FOR.get(cls)
        return issubclass(kind, real) if real else super().__subclasscheck__(kind)


def _shown(value, text):
    """Only classes in C show their module."""
    return "datetime." + text if type(value) in _STANDS_FOR else text


class _TestDate(_date, metaclass=_Kind):
    def __repr__(self):
        return _shown(self, super().__repr__())

    @classmethod
    def today(cls):
        return cls.fromtimestamp(_seconds())


class _TestDatetime(_datetime, metaclass=_Kind):
    def __repr__(self):
        return _shown(self, super().__repr__())

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(_seconds(), tz)

    @classmethod
    def today(cls):
        return cls.fromtimestamp(_seconds())

    @classmethod
    def utcnow(cls):
        return cls.fromtimestamp(_seconds(), datetime.timezone.utc).replace(tzinfo=None)


_STANDS_FOR = {_TestDate: _date, _TestDatetime: _datetime}


def _reduced(value):
    """How a value of a real class is copied and pickled: by the name of its class, which now is another's."""
    kind = _TestDatetime if isinstance(value, _datetime) else _TestDate
    return (kind, value.__reduce_ex__(2)[1])


def install(millis):
    """Puts the test's time in the place of the machine's."""
    show(millis)
    time.time, time.time_ns = _now, _now_ns
    time.clock_gettime, time.clock_gettime_ns = _of_clock, _of_clock_ns
    time.gmtime, time.localtime = _to_utc, _to_local
    time.asctime, time.ctime, time.strftime = _as_text, _as_text_of, _formatted
    for kind, real in _STANDS_FOR.items():
        kind.__name__ = kind.__qualname__ = real.__name__
        kind.__module__, kind.__doc__ = real.__module__, real.__doc__
        copyreg.pickle(real, _reduced)
    datetime.date, datetime.datetime = _TestDate, _TestDatetime
