const digits = '1'.repeat(1e6);
for (;;) Number('0x' + digits) + parseFloat(digits);
