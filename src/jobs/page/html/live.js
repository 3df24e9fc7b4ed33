(() => {
  const lost = document.getElementById('lost');
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.pathname, { credentials: 'same-origin', redirect: 'error' });
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const old of document.querySelectorAll('[data-live]')) {
        const next = fresh.getElementById(old.id);
        if (!next || next.innerHTML === old.innerHTML) continue;
        const focused = old.contains(document.activeElement) ? document.activeElement.id : '';
        old.replaceChildren(...next.childNodes);
        if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      }
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
  };
  setInterval(look, 3000);
  document.addEventListener('visibilitychange', look);
})();
