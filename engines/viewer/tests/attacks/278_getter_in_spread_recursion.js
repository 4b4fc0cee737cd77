const unrolled = { get a() { return { ...unrolled }; } };
({ ...unrolled });
