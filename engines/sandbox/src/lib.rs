//! Starts the processes that run user code, and confines them.
//!
//! A function process is started by [`Confined::command`] with one end of a Unix socket as its standard input and
//! nothing else of the proxy's: no environment variables but those given, no open files, no core dumps, its own process
//! group, bounded memory, and death when the proxy dies. Inside, [`channel`] takes that socket out of user code's
//! reach, and [`Confinement`] gives up what the process will not need, layer by layer. [`CpuClock`] tells from outside
//! how much CPU time a process has used. [`sealed`] memory can be read by such a process while it runs: [`send_with`] passes it
//! on, [`SharedBytes`] is its view.
//!
//! A [`Template`] is such a process that makes copies of itself: environments, which are then confined by
//! [`confine_environment`] as far as their language allows. [`Process`] holds a child by its descriptor. A [`Program`] is somebody
//! else's, started and confined by the process that speaks for it. A [`Gate`] is held by the proxy: it judges the addresses that
//! such processes connect and send to.
//!
//! Absent on purpose: no protocol, no knowledge of what the processes run.

mod child;
mod clock;
mod confine;
mod gate;
mod limits;
mod mounts;
mod pass;
mod process;
mod program;
mod shared;
mod template;
mod usage;

pub use child::Process;
pub use clock::{CpuClock, private_memory, wants_cpu};
pub use confine::{
    Confinement, DEVICES, EnvironmentRules, Handing, Keeper, LayerState, Layers, NetworkUse, OPEN_FILES, ProcessUse,
    SYSTEM_FILES, confine_environment, confine_host,
};
pub use gate::{Attempt, Blocked, Gate, can_hold};
pub use limits::{peak_memory, raise_stack_limit, set_file_size_limit, set_memory_limit, set_open_file_limit};
pub use mounts::{PrivateFolders, PrivatePlaces, private_folders};
pub use nix::sys::signal::Signal;
pub use pass::{Receiver, send_with};
pub use process::{Confined, channel, die_with_parent, has_exited, kill_group};
pub use program::{Keep, Program, RECORDS, end_by, kill_own_group, parent, watch_over_group};
pub use shared::{SharedBytes, sealed};
pub use template::{ANSWER, Template, request_copy};
pub use usage::usage;
