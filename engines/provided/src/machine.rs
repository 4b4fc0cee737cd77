//! In which order a runtime may ask for what (lambda-edge.md 8.3). Pure.

use edgehook_protocol::lambda::Invocation;

/// Started → ready → running → ready, with at most one invocation.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// `next` was called: INIT is over.
    ready: bool,
    /// An event has been handed out.
    seen: bool,
    outstanding: Option<Outstanding>,
}

#[derive(Debug)]
struct Outstanding {
    invocation: Invocation,
    handed_out: bool,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: no such invocation, or it has been answered.
    UnknownId,
    /// 403: not now.
    WrongState,
}

impl Machine {
    /// `next` is called; whether that ends INIT.
    pub(crate) fn asked(&mut self) -> bool {
        !std::mem::replace(&mut self.ready, true)
    }

    /// What `next` answers; `None`: wait. The same event again while it is not answered.
    pub(crate) fn event(&mut self) -> Option<&Invocation> {
        let outstanding = self.outstanding.as_mut()?;
        (outstanding.handed_out, self.seen) = (true, true);
        Some(&outstanding.invocation)
    }

    /// An invocation to hand out; whether there is none already.
    pub(crate) fn begin(&mut self, invocation: Invocation) -> bool {
        let free = self.outstanding.is_none();
        if free {
            self.outstanding = Some(Outstanding { invocation, handed_out: false });
        }
        free
    }

    /// Whether the invocation `id` may be answered now: its call number.
    pub(crate) fn may_answer(&self, id: &str) -> Result<u64, Refusal> {
        if !self.seen {
            return Err(Refusal::WrongState);
        }
        match &self.outstanding {
            Some(outstanding) if outstanding.invocation.request_id == id => {
                if outstanding.handed_out {
                    Ok(outstanding.invocation.call)
                } else {
                    Err(Refusal::WrongState)
                }
            }
            _ => Err(Refusal::UnknownId),
        }
    }

    /// The invocation `id` is answered.
    pub(crate) fn answered(&mut self, id: &str) -> Result<u64, Refusal> {
        let call = self.may_answer(id)?;
        self.outstanding = None;
        Ok(call)
    }

    /// Whether INIT may fail now.
    pub(crate) fn may_fail_init(&self) -> bool {
        !self.ready
    }

    /// Whether an invocation is not answered yet.
    pub(crate) fn is_running(&self) -> bool {
        self.outstanding.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_protocol::wire::Blob;

    fn invocation(call: u64) -> Invocation {
        Invocation {
            call,
            request_id: format!("id-{call}"),
            deadline: 0,
            trace: String::new(),
            clock: None,
            event: Blob(Vec::new()),
        }
    }

    #[test]
    fn rows_106_107_and_109() {
        let mut machine = Machine::default();
        assert!(machine.may_fail_init());
        assert_eq!(machine.answered("id-1"), Err(Refusal::WrongState), "before any event");
        assert!(machine.asked(), "INIT ends");
        assert!(!machine.may_fail_init() && machine.event().is_none());
        assert!(machine.begin(invocation(1)) && !machine.begin(invocation(2)));
        assert_eq!(machine.answered("id-1"), Err(Refusal::WrongState), "not handed out yet");
        assert_eq!(machine.event().unwrap().call, 1);
        assert!(!machine.asked());
        assert_eq!(machine.event().unwrap().call, 1, "again, while it runs");
        assert_eq!(machine.answered("other"), Err(Refusal::UnknownId));
        assert!(machine.is_running(), "the state is as it was");
        assert_eq!(machine.answered("id-1"), Ok(1));
        assert_eq!(machine.answered("id-1"), Err(Refusal::UnknownId), "finished");
        assert!(machine.event().is_none() && !machine.is_running());
        assert!(machine.begin(invocation(2)));
        assert_eq!(machine.answered("id-1"), Err(Refusal::UnknownId));
        assert_eq!(machine.answered("id-2"), Err(Refusal::WrongState));
    }
}
