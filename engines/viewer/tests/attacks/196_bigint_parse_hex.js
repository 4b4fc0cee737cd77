BigInt('0x' + 'f'.repeat(2e7));
