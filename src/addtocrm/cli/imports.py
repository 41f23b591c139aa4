from cyclopts import App

app = App(name="import")
