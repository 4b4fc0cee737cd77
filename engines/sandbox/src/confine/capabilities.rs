//! Capabilities of root, and of a user in a namespace of its own, that no function needs: interfaces and routes among them.

use super::LayerState;
use nix::errno::Errno;

/// `_LINUX_CAPABILITY_VERSION_3`: 64 capabilities, in two halves.
const VERSION: u32 = 0x2008_0522;

/// `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH`: without them root could not read what another user has deployed. Which files
/// those are, Landlock says.
const KEPT: u32 = 1 << 1 | 1 << 2;

#[repr(C)]
struct Header {
    version: u32,
    process: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Gives up all but what reading files takes. With `no_new_privs`, which must be set, no program gets them back.
pub(super) fn drop_all() -> Result<LayerState, Errno> {
    let mut sets = get()?;
    for (set, kept) in sets.iter_mut().zip([KEPT, 0]) {
        *set = Sets { effective: set.effective & kept, permitted: set.permitted & kept, inheritable: 0 };
    }
    let mut header = own();
    // SAFETY: the kernel reads the header and two sets, which live for the call; the version says that there are two.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) })?;
    Ok(LayerState::of(get()? == sets, "the kernel says that there are more"))
}

fn get() -> Result<[Sets; 2], Errno> {
    let (mut header, mut sets) = (own(), [Sets::default(); 2]);
    // SAFETY: the kernel writes two sets, for which there is room; the version says that there are two.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) })?;
    Ok(sets)
}

/// The calling thread.
fn own() -> Header {
    Header { version: VERSION, process: 0 }
}
