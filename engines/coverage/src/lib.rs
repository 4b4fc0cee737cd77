//! Copies of functions that tell which of their lines run, for `edgehook test --coverage`.
//!
//! [`javascript`] rewrites a source so that it reports each line of code when it runs for the first time; [`python`] wraps one
//! so that Python's own tracing does. Both report through what a function prints anyway: lines that [`Said::read`] knows. The
//! lines of the source keep their numbers. A line of code is one on which a statement begins (JavaScript), or that the compiler
//! gives an instruction (Python).
//!
//! Absent on purpose: running anything, files, and any use of such copies outside of tests: they are slower than the originals.

mod javascript;
mod python;
mod said;

pub use javascript::{Instrumented, NotParsed, Place, javascript};
pub use python::python;
pub use said::{MARK, Said};
