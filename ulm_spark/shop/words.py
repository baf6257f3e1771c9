"""The words of the catalogue, in English and Chinese. Every name is invented."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Leaf:
    """One kind of goods: its place in the tree, its noun, and the middle of its prices in currency units."""

    department: str
    aisle: str
    shelf: str
    noun: str
    noun_zh: str
    price: float


# In turn by department, so that any number of categories from six up covers all departments.
LEAVES = (
    Leaf("electronics", "phones", "smartphones", "Smartphone", "智能手机", 420),
    Leaf("fashion", "women", "dresses", "Dress", "连衣裙", 55),
    Leaf("home", "kitchen", "cookware", "Saucepan", "炖锅", 38),
    Leaf("grocery", "drinks", "coffee", "Coffee Beans", "咖啡豆", 12),
    Leaf("beauty", "skin", "creams", "Face Cream", "面霜", 24),
    Leaf("sports", "outdoor", "tents", "Tent", "帐篷", 140),
    Leaf("electronics", "audio", "headphones", "Headphones", "耳机", 95),
    Leaf("fashion", "men", "shirts", "Shirt", "衬衫", 35),
    Leaf("home", "living", "lamps", "Table Lamp", "台灯", 48),
    Leaf("grocery", "pantry", "pasta", "Pasta", "意大利面", 4),
    Leaf("beauty", "hair", "shampoo", "Shampoo", "洗发水", 11),
    Leaf("sports", "fitness", "weights", "Dumbbell", "哑铃", 32),
    Leaf("electronics", "phones", "chargers", "Charger", "充电器", 25),
    Leaf("fashion", "women", "shoes", "Sandals", "凉鞋", 65),
    Leaf("home", "kitchen", "knives", "Chef's Knife", "主厨刀", 45),
    Leaf("grocery", "drinks", "tea", "Green Tea", "绿茶", 9),
    Leaf("beauty", "skin", "masks", "Face Mask", "面膜", 14),
    Leaf("sports", "outdoor", "backpacks", "Backpack", "背包", 75),
    Leaf("electronics", "audio", "speakers", "Speaker", "音箱", 120),
    Leaf("fashion", "men", "trainers", "Trainers", "运动鞋", 80),
    Leaf("home", "living", "bedding", "Duvet Cover", "被套", 42),
    Leaf("grocery", "pantry", "chocolate", "Chocolate", "巧克力", 6),
    Leaf("beauty", "hair", "brushes", "Hair Brush", "发梳", 16),
    Leaf("sports", "fitness", "mats", "Yoga Mat", "瑜伽垫", 28),
)

BRANDS = {
    "electronics": (("Voltara", "沃特拉"), ("Quenix", "昆尼"), ("Belmira", "贝米拉"), ("Ostrel", "奥斯特")),
    "fashion": (("Marlune", "玛露"), ("Fintrade", "芬瑞"), ("Casvel", "卡丝"), ("Orielle", "奥瑞")),
    "home": (("Hearthen", "和森"), ("Nordal", "诺达"), ("Tavira", "塔维"), ("Lumenco", "鲁门")),
    "grocery": (("Goldfurrow", "金垄"), ("Rivana", "瑞华"), ("Altomar", "阿玛"), ("Fennelby", "芬妮")),
    "beauty": (("Selvane", "赛凡"), ("Dermora", "德茉"), ("Lisque", "丽诗"), ("Aurelin", "欧瑞琳")),
    "sports": (("Trekova", "特科"), ("Summitry", "山峰"), ("Pacerly", "佩速"), ("Ironfen", "铁锋")),
}

# Relative price of a department's brands, in the order above: the first is the cheap one.
BRAND_LEVELS = (0.7, 0.9, 1.1, 1.6)

STYLES = (
    ("Classic", "经典"),
    ("Compact", "便携"),
    ("Deluxe", "豪华"),
    ("Everyday", "日常"),
    ("Fresh", "清新"),
    ("Light", "轻盈"),
    ("Modern", "现代"),
    ("Natural", "天然"),
    ("Original", "原创"),
    ("Select", "精选"),
)

PRAISES = (
    ("made to last", "经久耐用"),
    ("easy to care for", "易于打理"),
    ("a gift that pleases", "送礼佳品"),
    ("loved by our customers", "深受顾客喜爱"),
    ("good value", "物超所值"),
    ("for every season", "四季皆宜"),
)

# Review words by rating: index 0 is one star.
REVIEWS = (
    ("Broke after a week, very disappointed.", "Arrived damaged and late.", "质量太差，很失望。"),
    ("Not what I expected.", "Poor quality for the price.", "不太满意，与描述不符。"),
    ("It is fine, nothing special.", "Does the job.", "一般，还可以。"),
    ("Good quality, quick delivery.", "Happy with it.", "质量不错，发货很快。"),
    ("Excellent, would buy again!", "Love it, exactly as described.", "非常好，会再次购买！"),
)

# By device, in the order of personas.DEVICES.
USER_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1",
    "DemoShopApp/5.2 (iPhone; iOS 17.5)",
)
BOT_USER_AGENTS = (
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +http://bot.example.com/about)",
    "PriceCrawler/1.4 (+http://crawler.example.org)",
)
