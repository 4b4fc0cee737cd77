//! Finds out whether this machine has a Python that can be linked. With one, `cfg(libpython)` is set and the binary finds
//! the library where it was at build time; without one the binary is built all the same and says what is missing.
//!
//! A probe, and not a cargo feature, so that building the workspace works everywhere and needs no choice.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

/// A program that needs the library, so that the linker cannot leave it out.
const PROBE: &str = "extern void Py_Initialize(void);\nint main(void) { Py_Initialize(); return 0; }\n";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(libpython)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CC");
    let config = pyo3_build_config::get();
    let library = config.lib_name().filter(|_| config.shared());
    if let Some(library) = library
        && links(library, config.lib_dir())
    {
        println!("cargo::rustc-cfg=libpython");
        pyo3_build_config::add_libpython_rpath_link_args();
    } else {
        // A file that never exists: look again at the next build, for a Python may have been installed.
        println!("cargo::rerun-if-changed=no-such-file");
        println!(
            "cargo::warning=no shared libpython to link: edgehook-python is built without Python (Debian: python3-dev)"
        );
    }
}

/// Whether a program can be linked against the shared library.
fn links(library: &str, folder: Option<&str>) -> bool {
    let Ok(out) = env::var("OUT_DIR") else { return false };
    let (source, program) = (Path::new(&out).join("probe.c"), Path::new(&out).join("probe"));
    if fs::write(&source, PROBE).is_err() {
        return false;
    }
    let mut link = Command::new(env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
    link.arg(&source).arg("-o").arg(&program);
    if let Some(folder) = folder {
        link.arg(format!("-L{folder}"));
    }
    link.arg(format!("-l{library}"));
    let linked = link.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    // A static library would satisfy the linker too, but then the program holds all of Python and what it needs besides.
    linked && fs::metadata(&program).is_ok_and(|program| program.len() < 1024 * 1024)
}
