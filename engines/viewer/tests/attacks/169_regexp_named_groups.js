new RegExp(Array.from({ length: 6e4 }, (_, i) => '(?<g' + i + '>a)?').join('')).exec('a');
