Object.keys = Object.entries = Object.getOwnPropertyNames = () => ['patched'];
Object.defineProperty = Object.create = () => null;
Reflect.ownKeys = Reflect.get = () => [];
