(function () {
  "use strict";
  var box = document.getElementById("q");
  var body = document.getElementById("products");
  var told = document.getElementById("found");
  var rows = Array.prototype.slice.call(body.rows);
  function plain(text) {
    return text.normalize("NFKC").toLowerCase();
  }
  var known = rows.map(function (row, at) {
    var columns = Array.prototype.slice.call(row.querySelectorAll(".columns b"));
    return {
      row: row,
      at: at,
      hint: row.querySelector(".hint"),
      name: plain(row.dataset.name),
      text: plain(row.dataset.text),
      columns: columns.map(function (c) {
        return { shown: c.textContent, text: plain(c.textContent) };
      }),
    };
  });
  function look() {
    var words = plain(box.value).split(/\s+/).filter(Boolean);
    var hits = [];
    known.forEach(function (k) {
      var score = 0;
      var columns = [];
      var all = words.every(function (word) {
        var here = k.name.indexOf(word) >= 0 ? 9 : k.text.indexOf(word) >= 0 ? 3 : 0;
        var mine = k.columns.filter(function (c) {
          return c.text.indexOf(word) >= 0;
        });
        columns = columns.concat(mine);
        score += here || (mine.length ? 1 : 0);
        return here || mine.length;
      });
      k.row.hidden = words.length > 0 && !all;
      k.hint.textContent = words.length
        ? columns
            .slice(0, 4)
            .map(function (c) {
              return c.shown;
            })
            .join(" · ")
        : "";
      if (!k.row.hidden) hits.push({ k: k, score: score });
    });
    hits.sort(function (a, b) {
      return b.score - a.score || a.k.at - b.k.at;
    });
    hits.forEach(function (hit) {
      body.appendChild(hit.k.row);
    });
    told.textContent = hits.length + " / " + rows.length;
  }
  box.addEventListener("input", look);
  box.addEventListener("keydown", function (event) {
    if (event.key === "Enter") {
      var first = body.querySelector("tr:not([hidden]) a");
      if (first) first.click();
    }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && document.activeElement !== box) {
      event.preventDefault();
      box.focus();
    }
  });
  look();
})();
