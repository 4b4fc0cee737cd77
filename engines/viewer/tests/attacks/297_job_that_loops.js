Promise.resolve().then(() => { for (;;); });
