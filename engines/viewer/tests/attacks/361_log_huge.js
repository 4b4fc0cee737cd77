console.log('\u{1f600}'.repeat(5e5), 'y'.repeat(1e6));
