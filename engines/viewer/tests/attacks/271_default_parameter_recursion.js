function filled(value = filled()) { return value; }
filled();
