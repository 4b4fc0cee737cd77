"""Python's side of an environment: what runs between the frames and the function.

`src/interpreter.rs` imports this once and calls `prepare`, `load`, then `invoke` per invocation. Nothing here is
meant for functions; they see the standard library, their context object, and logging in Lambda's format.

Everything needed is imported up front, for a function may shadow modules or spoil `sys.path`. `urllib.parse` is in the
list only because functions that write `import urllib` expect it to be there (lambda-edge.md 5.4).

Absent: frames, deadlines, the meaning of events and results.
"""

import datetime
import decimal
import importlib
import inspect
import io
import json
import linecache
import logging
import os
import random
import sys
import time
import traceback
import types
import urllib.parse  # noqa: F401

HERE = "<edgehook>"  # the file name that this code is compiled under
NESTED = 3000  # calls that surely fit on the stack
_machine_time = time.time  # whatever a test shows in its place


class Outcome:
    """How a step ended, as the Rust side reads it: a result, an error, or the status to exit with."""

    def __init__(self, result=b"", error=None, exit_status=None):
        self.result = result  # bytes: the JSON text
        self.error = error  # None or (kind, message, trace lines)
        self.exit_status = exit_status  # None or 0..255


class Identity:
    """`context.identity`: nobody at the edge."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """The second argument of a handler (lambda-edge.md 5.4)."""

    def __init__(self, request_id, deadline):
        self.aws_request_id = request_id
        self.log_group_name = _facts["log_group"]
        self.log_stream_name = _facts["log_stream"]
        self.function_name = _facts["name"]
        self.memory_limit_in_mb = _facts["memory"]
        self.function_version = _facts["version"]
        self.invoked_function_arn = _facts["arn"]
        self.tenant_id = None
        self.client_context = None
        self.identity = Identity()
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(_machine_time() * 1000))

    def log(self, message):
        sys.stdout.write(message if isinstance(message, str) else str(message))
        sys.stdout.flush()


class LogHandler(logging.Handler):
    """Writes log records to standard output, one line each (lambda-edge.md 10.2)."""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record).replace("\r\n", "\r").replace("\n", "\r") + "\n")
        except Exception:
            self.handleError(record)


class LogFormatter(logging.Formatter):
    """`[LEVEL]`, ISO time with Z, request id and message, separated by tabs."""

    def format(self, record):
        record.aws_request_id = _request_id
        return super().format(record)

    def formatTime(self, record, datefmt=None):
        moment = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(record.msecs):03d}Z"


class JsonFormatter(LogFormatter):
    """A record as an object of JSON, with what Lambda puts in it."""

    def format(self, record):
        fields = {
            "timestamp": self.formatTime(record),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": _request_id,
        }
        if record.exc_info:
            kind, error, trace = record.exc_info
            fields["errorType"] = kind.__name__ if kind else None
            fields["errorMessage"] = str(error)
            fields["stackTrace"] = traceback.format_tb(trace)
        return json.dumps(fields, default=str)


class ResultEncoder(json.JSONEncoder):
    """JSON with `Decimal` as a number; a whole one stays whole."""

    def default(self, value):
        if not isinstance(value, decimal.Decimal):
            return super().default(value)
        whole = value.is_finite() and value.as_tuple().exponent >= 0
        return int(value) if whole else float(value)


# Names of `AWS_LAMBDA_LOG_LEVEL`.
LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}

_decode = json.JSONDecoder().decode
_encoders = {}
_facts = {}
_handler = None
_request_id = ""


def library():
    """Folders and files of Python itself, which a function must be able to read."""
    return [sys.prefix, sys.base_prefix, *(path for path in sys.path if path)]


def prepare(facts, variables, layers, tmp):
    """Sets up variables, streams, search path and logging. `facts` are what the context object tells, all of them strings.

    `layers` come later over earlier; `tmp` is where temporary files go when `/tmp` is not the function's own.
    """
    random.seed()  # this process may be a copy, and copies must not draw the same numbers
    for layer in layers:
        version = "python%d.%d" % sys.version_info[:2]
        for folder in ("python/lib/" + version + "/site-packages", "lib/" + version + "/site-packages", "python"):
            folder = os.path.join(layer, folder)
            if os.path.isdir(folder):
                sys.path.insert(0, folder)
    if tmp:
        variables["TMPDIR"] = tmp
    _facts.update(facts)
    os.environ.clear()
    os.environ.update(variables)
    os.environ.setdefault("AWS_EXECUTION_ENV", "AWS_Lambda_python%d.%d" % sys.version_info[:2])
    time.tzset()
    sys.dont_write_bytecode = True
    sys.argv = [""]
    for name in ("stdout", "stderr"):
        # Lines go out whole, and nothing that a function prints can fail for its encoding.
        stream = io.FileIO(getattr(sys, name).fileno(), "w", closefd=False)
        buffered = io.BufferedWriter(stream)
        setattr(sys, name, io.TextIOWrapper(buffered, "utf-8", "backslashreplace", line_buffering=True))
    handler = LogHandler()
    if variables.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        handler.setFormatter(JsonFormatter())
        level = LEVELS.get(variables.get("AWS_LAMBDA_LOG_LEVEL", "INFO"), logging.INFO)
        logging.getLogger().setLevel(level)
    else:
        handler.setFormatter(LogFormatter("[%(levelname)s]\t%(asctime)s\t%(aws_request_id)s\t%(message)s"))
    logging.getLogger().addHandler(handler)


def module_of(folder, path):
    """The name of the module in `path` as `import` knows it where `folder` is searched."""
    inside, _ = os.path.splitext(os.path.relpath(path, folder))
    parts = inside.split(os.sep)
    if parts[0] == os.pardir:
        return os.path.basename(inside)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def load(folder, path, source, name):
    """Runs the function's file, given as `source`, and finds the handler called `name` in it. `folder` holds its code."""
    global _handler
    module_name = module_of(folder, path)
    if module_name in sys.builtin_module_names:
        return failed("Runtime.BuiltInModuleConflict", f"the file's name is that of the built-in module {module_name}")
    # A virtual environment with the code, as it was made or as it was packed.
    version = "python%d.%d" % sys.version_info[:2]
    for inside in (".venv/lib/" + version + "/site-packages", "venv/lib/" + version + "/site-packages", "python", ""):
        if os.path.isdir(os.path.join(folder, inside)):
            sys.path.insert(0, os.path.join(folder, inside).rstrip("/"))
    # Traces show the source that was loaded, whatever lies on the disk by now.
    lines = source.decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[path] = (len(source), None, lines, path)
    try:
        if "." in module_name or os.path.basename(path) == "__init__.py":
            # Within a package of Python's, whose other modules it may name by relation.
            module = importlib.import_module(module_name)
        else:
            module = types.ModuleType(module_name)
            module.__file__ = path
            code = compile(source, path, "exec", dont_inherit=True)
            sys.modules.setdefault(module_name, module)
            exec(code, module.__dict__)
        _handler = getattr(module, name, None)
    except SystemExit as request:
        return leaving(request)
    except SyntaxError as error:
        place = f"{error.filename or path}:{error.lineno or 1}:{error.offset or 1}"
        return failed("Runtime.UserCodeSyntaxError", f"{error.msg} ({place})", frames(error))
    except ImportError as error:
        return failed("Runtime.ImportModuleError", f"unable to import module '{module_name}': {error}", frames(error))
    except BaseException as error:
        return thrown(error)
    finally:
        flush()
    if _handler is None:
        return failed("Runtime.HandlerNotFound", f"'{name}' is missing in {path}")
    if not callable(_handler):
        return failed("Runtime.HandlerNotFound", f"'{name}' in {path} is not callable")
    return Outcome()


def set_trace(trace, parent):
    """Tells the process which trace the invocation belongs to, as X-Ray and as W3C write it (lambda-edge.md 10.4)."""
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
        os.environ["TRACEPARENT"] = parent
    elif "_X_AMZN_TRACE_ID" in os.environ:
        del os.environ["_X_AMZN_TRACE_ID"]
        os.environ.pop("TRACEPARENT", None)


def invoke(event, request_id, deadline, trace, parent):
    """Runs the handler once. `event` is JSON, `deadline` in milliseconds since 1970, `trace` of X-Ray's form and `parent` of
    W3C's, or both are empty."""
    global _request_id
    _request_id = request_id
    set_trace(trace, parent)
    try:
        event = _decode(event.decode("utf-8"))
    except ValueError as error:
        return failed("Runtime.UnmarshalError", f"the event is no JSON: {error}")
    try:
        return marshalled(_handler(event, Context(request_id, deadline)))
    except SystemExit as request:
        return leaving(request)
    except BaseException as error:
        return thrown(error)
    finally:
        flush()


def encoders(runtime):
    """What encodes results in this runtime: without looking for cycles, which costs as much as all the rest, and with it.

    Without, a cycle ends in a RecursionError, unless the function has raised that limit beyond what the stack holds."""
    known = _encoders.get(runtime)
    if known is None:
        # Newer runtimes no longer escape what is not ASCII.
        version = runtime.rpartition("python3.")[2]
        escaped = not (version.isdigit() and int(version) >= 12)
        known = ResultEncoder(ensure_ascii=escaped, check_circular=False), ResultEncoder(ensure_ascii=escaped)
        _encoders.clear()  # one runtime at a time
        _encoders[runtime] = known
    return known


def marshalled(result):
    """The result as JSON text; `bytes` are taken to be that already."""
    if isinstance(result, bytes):
        return Outcome(result)
    if inspect.iscoroutine(result):
        result.close()
    try:
        encoder, checking = encoders(os.environ.get("AWS_EXECUTION_ENV", ""))
        try:
            text = (encoder if sys.getrecursionlimit() <= NESTED else checking).encode(result)
        except RecursionError:
            text = checking.encode(result)
        return Outcome(text.encode("utf-8"))
    except Exception as error:
        return failed("Runtime.MarshalError", f"unable to marshal the result: {error}")


def failed(kind, message, trace=()):
    """An error found here."""
    return Outcome(error=(text(kind), text(message), [text(line) for line in trace]))


def thrown(error):
    """An error of the function's own."""
    try:
        message = str(error)
    except Exception:
        message = "the exception cannot be shown"
    return failed(type(error).__name__, message, frames(error))


def frames(error):
    """The lines of the traceback, outermost call first, without this file and the import machinery."""
    stack = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in stack if frame.filename != HERE and not frame.filename.startswith("<frozen ")]
    return "".join(traceback.format_list(own)).splitlines()


def leaving(request):
    """`sys.exit`: the status as Python itself would choose it."""
    code = request.code
    if code is None:
        return Outcome(exit_status=0)
    if isinstance(code, int):
        return Outcome(exit_status=code & 0xFF)
    print(code, file=sys.stderr)
    return Outcome(exit_status=1)


def text(value):
    """A string that UTF-8 can carry."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def flush():
    """What a function has printed must be in the log before its outcome is known."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # the function closed or replaced it
