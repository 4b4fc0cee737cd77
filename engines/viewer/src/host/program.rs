//! From a function's source to its `handler` (cloudfront-functions.md 5.1 and 6).
//!
//! A source is a script, unless it imports modules: then it is a module, whose `handler` is found without being exported. Only
//! default imports of the modules that there are exist; the source's lines keep their numbers.

use super::{
    modules::{self, kvs},
    problem::{self, Origin},
};
use boa_engine::{
    Context, JsError, JsNativeError, JsObject, JsResult, JsString, Module, Script, Source,
    ast::{
        ModuleItem,
        declaration::ImportKind,
        operations::{ContainsSymbol, contains, lexically_declared_names, var_declared_names},
        scope::Scope,
    },
    builtins::promise::PromiseState,
    interner::Interner,
    js_string,
    module::{ModuleLoader, ModuleRequest, Referrer, SyntheticModuleInitializer},
    parser::Parser,
};
use edgehook_protocol::viewer::{Problem, ProblemKind};
use std::{cell::RefCell, future::Future, path::Path, rc::Rc};

/// Evaluates the source and finds `handler` among its top-level bindings.
pub(super) fn handler(source: &[u8], file: &str, context: &mut Context) -> Result<JsObject, Problem> {
    let origin = Origin { file, source };
    let script = Script::parse(Source::from_bytes(source).with_path(Path::new(file)), None, context);
    let found = match script {
        Ok(script) => {
            script.evaluate(context).and_then(|_| settle(context)).map_err(|error| threw(&error, origin, context))?;
            // A name lookup rather than a property of the global object: `const handler = …` is no property.
            context.eval(Source::from_bytes("typeof handler === 'function' ? handler : undefined"))
        }
        Err(error) => {
            if !as_module(source)? {
                return Err(problem::describe(&error, ProblemKind::Syntax, origin, context));
            }
            evaluate_module(origin, context)?.get_value(js_string!("handler"), context)
        }
    };
    let handler = found.ok().and_then(|value| value.as_object()).filter(JsObject::is_callable);
    handler.ok_or_else(|| without_handler("the source defines no function named \"handler\" at its top level"))
}

fn without_handler(message: &str) -> Problem {
    Problem { kind: ProblemKind::NoHandler, message: message.to_owned(), line: None, column: None }
}

fn threw(error: &JsError, origin: Origin<'_>, context: &mut Context) -> Problem {
    problem::describe(error, ProblemKind::Threw, origin, context)
}

/// Microtasks, and key value reads, which are refused while there is no run.
fn settle(context: &mut Context) -> JsResult<()> {
    loop {
        context.run_jobs()?;
        if !kvs::answer(None, context)? {
            return Ok(());
        }
    }
}

/// Whether the source, which is no script, is a module that may be loaded. A module that may not be is a problem.
fn as_module(source: &[u8]) -> Result<bool, Problem> {
    let mut interner = Interner::default();
    let parsed = Parser::new(Source::from_bytes(source)).parse_module(&Scope::new_global(), &mut interner);
    let Ok(module) = parsed else { return Ok(false) };
    let refuse = |message: String| Problem { kind: ProblemKind::Syntax, message, line: None, column: None };
    let mut imports = false;
    for item in module.items().items() {
        match item {
            ModuleItem::ImportDeclaration(import) => {
                let plain = import.default().is_some() && *import.kind() == ImportKind::DefaultOrUnnamed;
                if !plain {
                    let name = interner.resolve_expect(import.specifier().sym()).to_string();
                    return Err(refuse(format!(
                        "SyntaxError: only default imports exist here: write \"import name from '{name}'\""
                    )));
                }
                imports = true;
            }
            ModuleItem::ExportDeclaration(_) => {
                return Err(refuse("SyntaxError: export does not exist here; declare handler without it".to_owned()));
            }
            ModuleItem::StatementListItem(_) => {}
        }
    }
    if contains(module.items(), ContainsSymbol::AwaitExpression) {
        return Err(refuse("SyntaxError: await stands only in async functions here, not at the top level".to_owned()));
    }
    let named = |name: &boa_engine::interner::Sym| interner.resolve_expect(*name).to_string() == "handler";
    let declared = lexically_declared_names(module.items()).iter().any(named)
        || var_declared_names(module.items()).iter().any(named);
    if imports && !declared {
        return Err(without_handler("the source defines no function named \"handler\" at its top level"));
    }
    Ok(imports)
}

/// Evaluates the source as a module that exports its `handler`.
fn evaluate_module(origin: Origin<'_>, context: &mut Context) -> Result<Module, Problem> {
    // Behind the last line, so that places in messages are those of the file.
    let exporting = [origin.source, b"\nexport { handler };"].concat();
    let source = Source::from_bytes(&exporting).with_path(Path::new(origin.file));
    let module = Module::parse(source, None, context)
        .map_err(|error| problem::describe(&error, ProblemKind::Syntax, origin, context))?;
    let evaluated = module.load_link_evaluate(context);
    settle(context).map_err(|error| threw(&error, origin, context))?;
    match evaluated.state() {
        PromiseState::Fulfilled(_) => Ok(module),
        PromiseState::Rejected(reason) => Err(threw(&JsError::from_opaque(reason), origin, context)),
        PromiseState::Pending => {
            let message = "the top level waits for something that never comes".to_owned();
            Err(Problem { kind: ProblemKind::NeverSettled, message, line: None, column: None })
        }
    }
}

/// Gives modules of the host to `import`.
#[derive(Debug)]
pub(super) struct Loader;

impl ModuleLoader for Loader {
    fn load_imported_module(
        self: Rc<Self>,
        referrer: Referrer,
        request: ModuleRequest,
        context: &RefCell<&mut Context>,
    ) -> impl Future<Output = JsResult<Module>> {
        let mut context = context.borrow_mut();
        std::future::ready(load(&referrer, request.specifier(), &mut context))
    }
}

fn load(referrer: &Referrer, specifier: &JsString, context: &mut Context) -> JsResult<Module> {
    // `import()` in a script; in a module it cannot be told from a declaration, and gives what that would.
    if !matches!(referrer, Referrer::Module(_)) {
        return Err(JsNativeError::typ().with_message("import() does not exist here").into());
    }
    let object = modules::export(&specifier.to_std_string_lossy(), context)
        .map_err(|message| JsNativeError::syntax().with_message(message))?;
    let steps = SyntheticModuleInitializer::from_copy_closure_with_captures(
        |module, object: &JsObject, _| module.set_export(&js_string!("default"), object.clone().into()),
        object,
    );
    Ok(Module::synthetic(&[js_string!("default")], steps, None, None, context))
}
