const revive = () => JSON.parse('[1]', revive);
revive();
