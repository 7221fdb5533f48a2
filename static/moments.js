// Moments that are said from now, "3 minutes ago", are said anew each minute while a page is seen. The server says them: it has the words.
{
  const EVERY = 60000;
  const MOST = 100;
  const from = document.currentScript.dataset.from;
  const say = async () => {
    const times = [...document.querySelectorAll("time[datetime]")];
    const moments = [...new Set(times.map(({ dateTime }) => dateTime))].slice(0, MOST);
    if (document.hidden || !moments.length) return;
    try {
      const answer = await fetch(`${from}?${new URLSearchParams(moments.map((moment) => ["at", moment]))}`);
      if (!answer.ok) return;
      const said = await answer.json();
      for (const time of times) time.textContent = said[time.dateTime] ?? time.textContent;
    } catch {
      // They stay as they were said; the next minute asks again.
    }
  };
  setInterval(say, EVERY);
  document.addEventListener("visibilitychange", say);
}
