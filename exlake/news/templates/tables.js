"use strict";
(function () {
  // Sort by a click on a header; filter the articles by a click on a figure; "all" undoes it.
  document.querySelectorAll("table[data-sortable] th").forEach(function (head) {
    head.tabIndex = 0;
    head.setAttribute("role", "button");
    function sort() {
      var table = head.closest("table"), body = table.tBodies[0];
      var at = Array.prototype.indexOf.call(head.parentNode.children, head);
      var down = head.getAttribute("aria-sort") !== "descending";
      table.querySelectorAll("th").forEach(function (h) { h.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      function value(row) {
        var cell = row.cells[at], text = cell.dataset.value || cell.textContent.trim();
        var number = Number(text.replace(/,/g, ""));
        return text !== "" && !isNaN(number) ? number : text;
      }
      Array.prototype.slice.call(body.rows).map(function (row, n) {
        return { row: row, value: value(row), n: n };
      }).sort(function (a, b) {
        var less = typeof a.value === "number" && typeof b.value === "number"
          ? a.value - b.value : String(a.value).localeCompare(String(b.value), "zh");
        return (down ? -less : less) || a.n - b.n;
      }).forEach(function (each) { body.appendChild(each.row); });
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
    });
  });
  var rows = document.querySelectorAll("#articles tbody tr");
  var said = document.getElementById("filtered");
  function keep(test, label) {
    var kept = 0;
    rows.forEach(function (row) {
      row.hidden = !test(row);
      kept += row.hidden ? 0 : 1;
    });
    if (said) {
      said.hidden = kept === rows.length;
      said.querySelector("b").textContent = label + ": " + kept + " / " + rows.length;
    }
  }
  document.addEventListener("click", function (event) {
    var link = event.target.closest("[data-key]");
    if (!link) { return; }
    var key = link.dataset.key, wanted = link.dataset.wanted;
    if (key === "all") { keep(function () { return true; }, ""); return; }
    keep(function (row) {
      return (" " + row.dataset[key] + " ").indexOf(" " + wanted + " ") >= 0;
    }, link.dataset.label || wanted);
  });
})();
