console.log({ toString() { for (;;); } });
