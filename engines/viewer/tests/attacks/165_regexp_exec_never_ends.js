const endless = /a/g;
endless.exec = () => ({ index: 0, length: 1, 0: 'a' });
'a'.replace(endless, '');
