function handler() { throw new Error('\u{1f600}'.repeat(1e6)); }
