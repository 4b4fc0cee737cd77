//! Loading: modules beside the function, and functions that do not load.

use crate::harness::{Code, gist, is_without_python};

#[test]
fn a_function_finds_what_lies_beside_it() {
    if is_without_python() {
        return;
    }
    let code = Code::python(
        "import urllib\nimport greet\nfrom parts.inner import word\nimport index\n\
         def handler(event, context):\n    return [greet.hello('me'), word, urllib.parse.quote('a b'), __name__, index.word]\n",
    )
    .file("greet.py", "def hello(who):\n    return 'hello ' + who\n")
    .file("parts/__init__.py", "")
    .file("parts/inner.py", "word = 'wörd'\n");
    assert_eq!(code.once().unwrap(), r#"["hello me", "w\u00f6rd", "a%20b", "index", "w\u00f6rd"]"#);
    let code =
        Code::new("lambda_function.py", "class A:\n    def __call__(self, e, c): return 1\nlambda_handler = A()\n");
    assert_eq!(code.handler("lambda_handler").once().unwrap(), "1");
}

#[test]
fn dataclasses_and_pickle_find_their_module() {
    if is_without_python() {
        return;
    }
    let source = "from __future__ import annotations\nimport dataclasses, pickle\n@dataclasses.dataclass\nclass A:\n    n: int = 1\n\
                  def handler(event, context):\n    return pickle.loads(pickle.dumps(A())).n\n";
    assert_eq!(Code::new("my-function.py", source).once().unwrap(), "1");
}

#[test]
fn functions_that_do_not_load() {
    if is_without_python() {
        return;
    }
    for (source, kind, message) in [
        ("other = 1", "Runtime.HandlerNotFound", "'handler' is missing in "),
        ("handler = 1", "Runtime.HandlerNotFound", "is not callable"),
        ("import boto3x", "Runtime.ImportModuleError", "unable to import module 'index': No module named 'boto3x'"),
        ("from json import missing", "Runtime.ImportModuleError", "cannot import name 'missing'"),
        ("x = 1\nif x\n    pass", "Runtime.UserCodeSyntaxError", "/index.py:2:5)"),
        ("def f():\nreturn", "Runtime.UserCodeSyntaxError", "/index.py:2:1)"),
        ("import broken", "Runtime.UserCodeSyntaxError", "/broken.py:1:"),
        ("raise KeyError('top')", "KeyError", "'top'"),
    ] {
        let error = Code::python(source).file("broken.py", "1 +\n").refused();
        assert_eq!(error.kind, kind, "{source}: {error:?}");
        assert!(error.message.contains(message), "{source}: {error:?}");
    }
    let error = Code::new("sys.py", "def handler(e, c): pass").refused();
    assert_eq!(gist(&error).0, "Runtime.BuiltInModuleConflict");
    let trace = Code::python("def top():\n    raise OSError('x')\ntop()\n").refused().trace;
    assert!(trace[0].ends_with("/index.py\", line 3, in <module>") && trace.len() == 4, "{trace:?}");
}

#[test]
fn exit_at_the_top_ends_the_process() {
    if is_without_python() {
        return;
    }
    assert_eq!(Code::python("import sys\nsys.exit(5)\n").left(), Some(5));
}

#[test]
fn without_python_the_error_says_what_to_install() {
    if !is_without_python() {
        return;
    }
    let error = Code::python("").refused();
    assert_eq!(error.kind, "Runtime.PythonUnavailable");
    assert!(error.message.contains("python3-dev") && error.message.contains("--enable-shared"), "{}", error.message);
}
