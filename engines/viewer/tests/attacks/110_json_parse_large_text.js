const text = '[' + '1,'.repeat(5e4) + '1]';
for (;;) JSON.parse(text);
