const day = new Date(0);
for (;;) day.setUTCFullYear(275760, 8, 12).toString() + day.toISOString() + day.toString();
