const descend = () => 'a'.replace(/a/, descend);
descend();
