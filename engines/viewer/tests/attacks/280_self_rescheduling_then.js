const tick = () => Promise.resolve().then(tick);
tick();
