async function dive() { await dive(); }
dive();
