const closures = [];
for (let i = 0; ; i++) { const big = Array(100).fill(i); closures.push(() => big); }
