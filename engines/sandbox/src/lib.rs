//! Starts the processes that run user code, and confines them.
//!
//! A function process is started by [`Confined::command`] with one end of a Unix socket as its standard input and
//! nothing else of the proxy's: no environment variables but those given, no open files, no core dumps, its own process
//! group, bounded memory, and death when the proxy dies. Inside, [`channel`] takes that socket out of user code's
//! reach, and [`Confinement`] gives up what the process will not need, layer by layer. [`CpuClock`] tells from outside
//! how much CPU time a process has used. [`sealed`] memory can be read by such a process while it runs: [`send_with`] passes it
//! on, [`SharedBytes`] is its view.
//!
//! Absent on purpose: no protocol, no knowledge of what the processes run.

mod clock;
mod confine;
mod limits;
mod pass;
mod process;
mod shared;

pub use clock::{CpuClock, wants_cpu};
pub use confine::{Confinement, LayerState, Layers, OPEN_FILES, confine_host};
pub use limits::{set_memory_limit, set_open_file_limit};
pub use pass::{Receiver, send_with};
pub use process::{Confined, channel, has_exited, kill_group};
pub use shared::{SharedBytes, sealed};
