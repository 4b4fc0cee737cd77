class Field { x = new Field(); }
new Field();
