class Kin extends Array { static get [Symbol.species]() { return Kin.of(1).map((x) => x).constructor; } }
Kin.of(1).map((x) => x);
