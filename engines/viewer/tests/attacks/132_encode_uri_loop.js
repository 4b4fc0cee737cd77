const astral = '\u{10ffff}'.repeat(1e5);
for (;;) encodeURIComponent(astral);
