globalThis.touched = true;
if (typeof state !== 'undefined') {
  counter += 1000;
  state.text = 'patched'; state.list.push(9); state.nested.deep.flag = null; state.map.set('b', 1); state.set.clear(); state.when.setTime(5);
  new Shape(); Shape.prototype.area = () => 'patched'; Shape.extra = 1;
  Object.setPrototypeOf(state.list, null); delete state.pattern; templateAtLoad.concat.extra = template;
}
return event.request;
