String.fromCharCode(...new Uint16Array(1e6));
