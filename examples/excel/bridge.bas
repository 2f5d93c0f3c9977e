Attribute VB_Name = "Bridge"
Option Explicit

' Orders from a worksheet to openalgo_bridge, by a button. In the VBA editor: File, Import File.
'
' One order is one row: strategy, symbol, exchange, action, product, price type, quantity, price, then two columns that
' this module fills: the row's own key, and the answer. Select rows and run SendSelectedOrders.
'
' There is no worksheet function that orders: Excel calculates a cell whenever it likes, and would order each time.
' The API key is read from the environment, so that it is not in the workbook (docs/excel.md).

Private Const BRIDGE_URL As String = "http://127.0.0.1:5000"
Private Const COLUMN_OF_KEY As Long = 9
Private Const COLUMN_OF_ANSWER As Long = 10

Public Sub SendSelectedOrders()
    Dim line As Range
    Dim question As String
    question = "Send " & Selection.Rows.Count & " order(s) to the bridge?"
    If MsgBox(question, vbOKCancel + vbDefaultButton2 + vbExclamation) <> vbOK Then Exit Sub
    Randomize
    For Each line In Selection.Rows
        SendRow line.EntireRow
    Next line
End Sub

' The key of a row is written down before the row is sent, and never changed: a row that is sent again gets the first
' answer again instead of a second order. For a new order, use a new row.
Private Sub SendRow(ByVal order As Range)
    If Len(Trim$(order.Cells(1, 2).Value)) = 0 Then Exit Sub
    If Len(order.Cells(1, COLUMN_OF_KEY).Value) = 0 Then order.Cells(1, COLUMN_OF_KEY).Value = NewKey()
    order.Cells(1, COLUMN_OF_ANSWER).Value = "'" & Post("placeorder", OrderOf(order), order.Cells(1, COLUMN_OF_KEY).Value)
End Sub

Private Function OrderOf(ByVal order As Range) As String
    OrderOf = Pair("strategy", order.Cells(1, 1).Value) & "," & _
        Pair("symbol", order.Cells(1, 2).Value) & "," & _
        Pair("exchange", order.Cells(1, 3).Value) & "," & _
        Pair("action", order.Cells(1, 4).Value) & "," & _
        Pair("product", order.Cells(1, 5).Value) & "," & _
        Pair("pricetype", order.Cells(1, 6).Value) & "," & _
        Pair("quantity", Plain(order.Cells(1, 7).Value)) & "," & _
        Pair("price", Plain(order.Cells(1, 8).Value))
End Function

' Sends once. No answer within half a minute is told as such: then nobody here knows what happened. The row may be
' sent again, because its key goes with it.
Private Function Post(ByVal endpoint As String, ByVal fields As String, ByVal key As String) As String
    Dim request As Object
    Set request = CreateObject("WinHttp.WinHttpRequest.5.1")
    request.SetTimeouts 3000, 3000, 10000, 30000
    request.Open "POST", BRIDGE_URL & "/api/v1/" & endpoint, False
    request.SetRequestHeader "Content-Type", "application/json"
    request.SetRequestHeader "Idempotency-Key", key
    On Error GoTo NoAnswer
    request.Send "{" & Pair("apikey", Environ$("OPENALGO_API_KEY")) & "," & fields & "}"
    Post = request.Status & " " & request.ResponseText
    Exit Function
NoAnswer:
    Post = "No answer. Look at the Orders page of the bridge. " & Err.Description
End Function

Private Function Pair(ByVal name As String, ByVal text As String) As String
    text = Replace(Replace(text, "\", "\\"), """", "\""")
    Pair = """" & name & """:""" & text & """"
End Function

' Str$ writes a point whatever the regional settings say, and no thousands separator.
Private Function Plain(ByVal number As Variant) As String
    If Len(number) = 0 Then number = 0
    Plain = Trim$(Str$(CDbl(number)))
End Function

Private Function NewKey() As String
    NewKey = "excel-" & Format$(Now, "yyyymmddhhnnss") & "-" & Hex$(Int(Rnd * 2147483647#))
End Function
