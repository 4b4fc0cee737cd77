//! What instrumented copies print.

/// What every line of ours begins with.
pub const MARK: &str = "edgehook-coverage";

/// One line of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Places in JavaScript were reached, by their numbers.
    Reached(Vec<usize>),
    /// These lines of a Python file hold code.
    Code(String, Vec<u32>),
    /// A line of a Python file was reached.
    Ran(String, u32),
}

impl Said {
    /// Reads a line of a function's output; `None` for what the function says itself.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.trim().split(' ');
        if words.next() != Some(MARK) {
            return None;
        }
        match words.next()? {
            "reached" => words.map(|number| number.parse().ok()).collect::<Option<_>>().map(Self::Reached),
            "code" => {
                let file = words.next()?.replace("%20", " ");
                words.map(|number| number.parse().ok()).collect::<Option<_>>().map(|lines| Self::Code(file, lines))
            }
            "ran" => Some(Self::Ran(words.next()?.replace("%20", " "), words.next()?.parse().ok()?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_ours_or_the_functions() {
        assert_eq!(Said::read("edgehook-coverage reached 1 22"), Some(Said::Reached(vec![1, 22])));
        assert_eq!(Said::read("edgehook-coverage code a%20b.py 3"), Some(Said::Code("a b.py".to_owned(), vec![3])));
        assert_eq!(Said::read("edgehook-coverage ran a.py 3\n"), Some(Said::Ran("a.py".to_owned(), 3)));
        for foreign in
            ["reached 1", "edgehook-coverage reached x", "edgehook-coverage", "edgehook-coverage ran a.py", ""]
        {
            assert_eq!(Said::read(foreign), None, "{foreign}");
        }
    }
}
