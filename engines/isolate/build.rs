//! Compiles the one part that the language cannot express: a call that may return twice.

fn main() {
    println!("cargo::rerun-if-changed=src/guard.c");
    // Without fortification: its checked `longjmp` takes leaving an alternate signal stack for an attack.
    cc::Build::new()
        .file("src/guard.c")
        .flag("-U_FORTIFY_SOURCE")
        .opt_level(2)
        .warnings(true)
        .compile("edgehook_guard");
}
