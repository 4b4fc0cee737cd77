let t = []; for (;;) t.push(new TextEncoder().encode('x'.repeat(1e5)), btoa('x'.repeat(1e5)));
