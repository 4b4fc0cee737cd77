//! A name that is missing or mistyped: people at a terminal choose one from a list, everybody else reads what there is
//! (experience.md 5.1). Deliberately absent: what the names stand for.

use super::output::Output;
use dialoguer::Select;

/// Names of one kind, one of which is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates<'a> {
    /// What they are, as in `functions`.
    pub(super) plural: &'a str,
    pub(super) names: &'a [&'a str],
}

impl<'a> Candidates<'a> {
    /// One of them. `problem` says what is wrong with what was given; `for_people` is false where a program reads the answer.
    ///
    /// # Errors
    /// Nobody can be asked, or who was asked chose none; the text is the problem and the names.
    pub(super) fn pick(self, problem: &str, for_people: bool, output: &Output) -> Result<&'a str, String> {
        let told = || {
            let names = if self.names.is_empty() { "none".to_owned() } else { self.names.join(", ") };
            format!("{problem}; {}: {names}", self.plural)
        };
        if self.names.is_empty() || !for_people || !output.can_ask() {
            return Err(told());
        }
        let select = Select::new().with_prompt(format!("{problem}; choose of the {}", self.plural));
        // A terminal that cannot do it is one that shows the names.
        let chosen = select.items(self.names).default(0).interact_opt().ok().flatten();
        chosen.and_then(|index| self.names.get(index)).copied().ok_or_else(told)
    }
}
